"""What the engine answers otherwise than Spark, put so that it answers alike; one module for each kind of construct."""
