"""Small pure things that several floors use. Nothing here imports a floor above it."""
