"""What the API promises, as an OpenAPI document: made from the routes, the rules and three tables."""
