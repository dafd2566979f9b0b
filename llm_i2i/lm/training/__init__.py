"""Examples -> checkpoint. Never imports `lm.inference`; torch is imported here, and only when a training starts."""
