"""Results for people and other programs: tables, figures, exported files."""
