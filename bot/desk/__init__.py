"""What agents do, and what happens at their desk by the clock."""
