"""For who publishes: new projects, trained parameters put into them, and what checks and placeholders run on."""
