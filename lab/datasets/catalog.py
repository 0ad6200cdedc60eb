"""The data sets that are known by name: what each is, under which licence, how its releases are laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.datasets import official
from lab.datasets.cifar10 import cifar10_batches, cifar100_batches
from lab.datasets.facescrub import facescrub
from lab.datasets.layouts import Release, class_folders, class_folders_of

Finder = Callable[[Path, str], Release | None]


@dataclass(frozen=True)
class Entry:
    """One data set. `finders` look for a release below a data root, in this order."""

    title: str
    licence: str
    finders: tuple[Finder, ...] = (class_folders,)
    grey: bool = False
    redistributable: bool = False


CATALOG: dict[str, Entry] = {
    "cifar10": Entry(
        title="CIFAR-10 (Krizhevsky 2009)",
        licence="no licence stated by its authors; research use",
        finders=(cifar10_batches, class_folders),
    ),
    "cifar100": Entry(
        title="CIFAR-100 (Krizhevsky 2009)",
        licence="no licence stated by its authors; research use",
        finders=(cifar100_batches, class_folders),
    ),
    "transformed_cifar10": Entry(
        title="Transformed CIFAR-10, labels of the detection exercise",
        licence="course material, no licence stated",
        finders=(official.labels_only,),
    ),
    "artists": Entry(
        title="Paintings by eleven artists (Bylinskii, MIT 6.867)",
        licence="course material, no licence stated; the paintings are in the public domain",
    ),
    "att_faces": Entry(
        finders=(class_folders, partial(class_folders_of, "orl_faces")),
        title="AT&T (ORL) Database of Faces (Samaria and Harter 1994)",
        licence="free to use with credit to AT&T Laboratories Cambridge; no right to redistribute stated",
        grey=True,
    ),
    "lfw": Entry(
        title="Labeled Faces in the Wild (Huang et al. 2007)",
        licence="research use; the photographs belong to their agencies",
    ),
    "facescrub": Entry(
        title="FaceScrub (Ng and Winkler 2014)",
        licence="the list: CC BY-NC-ND 4.0; the photographs belong to their owners",
        finders=(facescrub,),
    ),
    "facescrub9": Entry(
        title="FaceScrub (Ng and Winkler 2014), nine actors, cropped",
        licence="the list: CC BY-NC-ND 4.0; the photographs belong to their owners",
    ),
    "meglass": Entry(
        title="MeGlass (Guo et al. 2018)",
        licence="non-commercial research use",
        finders=(official.meglass,),
    ),
    "gtsrb": Entry(
        title="German Traffic Sign Recognition Benchmark (Stallkamp et al. 2012)",
        licence="free to use with citation, no licence stated",
        finders=(official.gtsrb, class_folders),
    ),
    "dtd": Entry(
        title="Describable Textures (Cimpoi et al. 2014)",
        licence="research use",
        finders=(official.dtd, class_folders),
    ),
    "dtd10": Entry(
        title="Describable Textures (Cimpoi et al. 2014), ten classes",
        licence="research use",
    ),
    "omniglot": Entry(
        title="Omniglot (Lake et al. 2015), the two small background sets",
        licence="MIT",
        finders=(official.omniglot, class_folders),
        grey=True,
        redistributable=True,
    ),
    **{
        name: Entry(
            title=f"Visual Decathlon (Rebuffi et al. 2017), {name.removeprefix('decathlon-')}",
            licence="research use, under the terms of the data set it was made from",
            finders=(finder,),
        )
        for name, finder in official.DECATHLON_FINDERS.items()
    },
}
