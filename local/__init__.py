"""What stands in for the cloud and for OpenAI on one machine. Nothing here is deployed."""
