"""What a Service proxy must do: one file per area, one function per requirement."""
