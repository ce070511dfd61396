"""What measurements of this machine need."""
