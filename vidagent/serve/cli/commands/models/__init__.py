"""Commands about models: those within reach, and servers of our own."""
