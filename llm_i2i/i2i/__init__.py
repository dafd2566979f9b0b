"""Item-to-item recommenders and their rivals that are not SQL; table UDFs call them."""
