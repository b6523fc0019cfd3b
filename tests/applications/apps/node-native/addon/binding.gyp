{"targets": [{"target_name": "knots", "sources": ["knots.cc"]}]}
