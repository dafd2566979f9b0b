"""The index outside the warehouse: packed, served over HTTP, published to Redis."""
