"""Batchdrop: drop a JSONL file of OpenAI batch requests into a bucket, get every answer back in order."""
