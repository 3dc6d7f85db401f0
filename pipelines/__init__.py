"""Gets bytes in and out and orders the steps. What a number means lives in `models/`."""
