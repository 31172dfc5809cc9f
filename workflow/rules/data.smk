# A data set's raw files, and its prepared files, which the network reads.


# Downloads run on the machine that runs Snakemake: the nodes of a cluster rarely have internet access.
rule download:
    input:
        sources("data/download", "data/synthetic"),
    output:
        directory("data/raw/{dataset}"),
    log:
        "logs/download/{dataset}.log",
    benchmark:
        "logs/download/{dataset}.tsv"
    params:
        tracked=tracked("datasets.{dataset}.source", "datasets.{dataset}.splits"),
    shell:
        "rsis download {wildcards.dataset} > {log} 2>&1"


use rule download as generate with:
    wildcard_constraints:
        dataset=any_of(GENERATED),
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,


ruleorder: generate > download


rule prepare:
    input:
        "data/raw/{dataset}",
        sources(
            "data/prepared",
            "data/readers",
            "eval/truths",
            "masks.py",
            "splits",
            "tracking/agreement.py",
        ),
    output:
        directory("data/processed/{dataset}"),
    log:
        "logs/prepare/{dataset}.log",
    benchmark:
        "logs/prepare/{dataset}.tsv"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        tracked=tracked("datasets.{dataset}"),
    shell:
        "rsis prepare {wildcards.dataset} > {log} 2>&1"
