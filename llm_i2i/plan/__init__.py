"""What a build will do, as data."""
