"""own.squeeze: how small SqueezeNet is. An analysis of your own, printed by sections/my-section.md."""

from analyses.plugin import Analysis, Parameters, Summary
from results.schema import Metric


class Squeeze(Analysis[Parameters]):
    id = "own.squeeze"  # "own." and the name of this file
    title = "Parameters of SqueezeNet"
    question = "How many parameters does SqueezeNet have?"
    analytic = True  # it neither trains nor reads data: `build` runs it when it is missing or was changed

    def parameters(self, profile):
        return Parameters()

    def run(self, cell, context):
        from lab import models
        from lab.counting import count

        return {"parameters": count(models.load("squeezenet1_0"), (3, 224, 224)).parameters}

    def summarize(self, parameters, outcomes):
        total = outcomes["all"]["parameters"]
        return Summary({"total_parameters": Metric(value=total, title="Parameters", unit="parameters")})


analysis = Squeeze()
