"""The crystal at rest, strained, vibrating and cut."""
