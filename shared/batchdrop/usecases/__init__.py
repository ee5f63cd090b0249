"""What the service does, one verb a module, written against ``batchdrop.ports`` alone."""
