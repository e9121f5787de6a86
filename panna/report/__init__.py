"""What all HTML reports share: content, page, plots."""
