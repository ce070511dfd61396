"""Properties of single features: their effect on the loss, their neighbours, the tokens that they promote."""
