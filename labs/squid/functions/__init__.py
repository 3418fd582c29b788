"""What runs in Lambda. Each function's package holds these modules under their own names, so that they import here as they do there."""
