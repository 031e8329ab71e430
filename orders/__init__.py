"""The tool on a user's machine: the `orders` command, and the check of the bundle before it is deployed."""
