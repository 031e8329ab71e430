"""The tool on a person's machine: the `orders` command, and the check of the bundle before it is deployed."""
