"""What comparisons with other libraries are made of; `environment` gets the libraries."""
