"""One function per question; SELECT only."""
