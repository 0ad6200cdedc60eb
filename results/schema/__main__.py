"""`python -m results.schema > results/schema.json`: the JSON Schema of a Result."""

import json

from results.schema import Result

print(json.dumps(Result.model_json_schema(), indent=1))
