"""Around the queue: the desk, agreement, reliability, control items, and the admin's pages of items."""
