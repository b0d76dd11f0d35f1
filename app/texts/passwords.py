"""What is said of a new password, wherever one is chosen."""

from app.settings import SMALLEST_PASSWORD

RULE = f"At least {SMALLEST_PASSWORD} characters; a few words in a row are best."
