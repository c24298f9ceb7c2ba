"""What other programs have written about a model, in its metadata or in files beside it."""
