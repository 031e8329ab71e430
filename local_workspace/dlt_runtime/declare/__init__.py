"""What pipeline code declares: the functions of `import dlt`, their arguments, and the registry that they fill."""
