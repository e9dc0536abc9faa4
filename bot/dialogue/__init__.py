"""What the bot answers: a message in its conversation becomes a decision, and a decision becomes words."""
