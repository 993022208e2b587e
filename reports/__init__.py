"""What comes out of a run: one result model, and everything rendered from it."""
