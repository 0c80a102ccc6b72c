"""How the embedded model plans its looks."""
