"""What is published: query it, export it, compare two environments, promote one and roll it back."""
