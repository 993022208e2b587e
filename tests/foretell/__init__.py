"""Tests of what is foretold of Services."""
