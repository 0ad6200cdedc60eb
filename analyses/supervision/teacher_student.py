"""supervision.teacher_student: what unlabelled images are worth to a network that a teacher labels them for.

After Yalniz et al. 2019: a teacher is trained on the labelled images and scores the unlabelled ones; of each
class the K of which it is surest, among those that have the class in their top P, train a student, which is
then fine-tuned on the labelled images. Their accuracy rises with K, as there is more to see, then falls, as
more labels are wrong. Here teacher and student learn CIFAR-10, a part of whose labels is hidden.

Every student is shown as many images, whatever K is. A seed decides which images are labelled.
"""

from __future__ import annotations

from analyses import experiments
from analyses.experiments import DataChoice, ImageExperiment
from analyses.plugin import Cell, Context, Outcome, Profile
from analyses.supervision._teacher_student_settings import TeacherParameters, cells_of
from analyses.supervision._teacher_student_summary import summary
from analyses.supervision._teacher_student_training import divide, pool_of, run_student, run_teacher


class TeacherStudent(ImageExperiment[TeacherParameters]):
    id = "supervision.teacher_student"
    title = "Teacher and student"
    question = "How many unlabelled images should a teacher label for its student?"

    def parameters(self, profile: Profile) -> TeacherParameters:
        if profile == "quick":
            return TeacherParameters(
                data=DataChoice(name="shapes", train=1_500, validation=200),
                labelled=60,
                k=(5, 40, 140),
                p=(1, 2),
                tail_largest=100,
                tail_k=40,
                widths=(16, 32, 32),
                teacher_epochs=8,
                rounds=4,
                shown=300,
                finetune_epochs=2,
                bin=20,
                seeds=2,
            )
        return TeacherParameters()

    def check(self, parameters: TeacherParameters) -> None:
        from lab.datasets import DataError

        super().check(parameters)
        data, classes = experiments.load(parameters.data, "cpu")
        if max(parameters.p) > len(classes):
            raise DataError(
                f"an image's {max(parameters.p)} highest classes are to be kept, and there are "
                f"{len(classes)} classes; choose another with --set p=…"
            )
        cell = next(cell for cell in self.plan(parameters) if "tail" in cell.settings)
        pool_of(cell, divide(cell, data, classes))

    def plan(self, parameters: TeacherParameters) -> list[Cell]:
        first, *others = parameters.p
        choices: dict[str, tuple[int, int] | None] = {"teacher": None, "supervised": None}
        choices |= {f"k/{k}": (k, first) for k in parameters.k}
        choices |= {f"p/{p}": (max(parameters.k), p) for p in others}
        planned = [cell for name, choice in choices.items() for cell in cells_of(parameters, name, choice)]
        tail = {"largest": parameters.tail_largest, "exponent": parameters.tail_exponent}
        for p in parameters.p:
            planned += cells_of(parameters, f"tail/p/{p}", (parameters.tail_k, p), tail=tail)
        return planned

    def run(self, cell: Cell, context: Context) -> Outcome:
        settings = cell.settings
        data, classes = experiments.load(settings["data"], context.device)
        work = run_teacher if settings["role"] == "teacher" else run_student
        return work(cell, context, divide(cell, data, classes), classes)

    summarize = staticmethod(summary)


analysis = TeacherStudent()
