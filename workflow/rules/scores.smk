# The predictions of a run, and their scores.


rule predict:
    input:
        processed_of,
        "models/{run}.safetensors",
        sources("masks.py", "model", "predict", "prediction_file.py"),
    output:
        "predictions/{run}.json",
    log:
        "logs/predict/{run}.log",
    benchmark:
        "logs/predict/{run}.tsv"
    threads: 2
    resources:
        gres=gres(1),
        cards=1,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        tracked=tracked("runs.{run}.model", "runs.{run}.predict"),
    shell:
        "rsis predict {wildcards.run} > {log} 2>&1"


rule score:
    input:
        lambda wildcards: f"data/raw/{dataset_of(wildcards.run)}",
        "predictions/{run}.json",
        sources("eval", "masks.py", "prediction_file.py", "splits"),
    output:
        directory("scores/{run}"),
        report(
            "metrics/{run}.json",
            caption="../report/metrics.rst",
            category="Scores",
            labels={"run": "{run}"},
        ),
    log:
        "logs/score/{run}.log",
    benchmark:
        "logs/score/{run}.tsv"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        tracked=lambda wildcards: tracked(
            "runs.{run}.score", f"datasets.{dataset_of(wildcards.run)}"
        )(wildcards),
    shell:
        "rsis score {wildcards.run} > {log} 2>&1"
