"""The outside world, one port a module. The only place that knows boto3 and openai."""
