# The training of a run. The profile's `retries` submits a killed job again, which then resumes the training.


rule train:
    input:
        processed_of,
        sources("data/prepared", "loss", "masks.py", "model", "structures.py", "train"),
    output:
        "models/{run}.safetensors",
        "history/{run}/run.json",
        directory("history/{run}/plots"),
    log:
        "logs/train/{run}.log",
    benchmark:
        "logs/train/{run}.tsv"
    threads: cpus
    resources:
        gres=lambda wildcards: gres(PARAMS.run(wildcards.run).train.devices),
        cards=lambda wildcards: PARAMS.run(wildcards.run).train.devices,
        mem_mb=memory,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        tracked=tracked("runs.{run}.model", "runs.{run}.train"),
        launch="",
    shell:
        "{params.launch} rsis train {wildcards.run} > {log} 2>&1"


# A training in more than one process: srun starts them in a SLURM job; elsewhere Lightning does, on this machine.
use rule train as train_distributed with:
    wildcard_constraints:
        run=any_of(DISTRIBUTED),
    container:
        None  # its shell command calls srun, which images lack
    resources:
        mpi="srun",
        nodes=lambda wildcards: PARAMS.run(wildcards.run).train.nodes,
        tasks=lambda wildcards: tasks(wildcards)[0],
        tasks_per_node=lambda wildcards: tasks(wildcards)[1],
        tasks_per_gpu=0,
        gres=lambda wildcards: gres(PARAMS.run(wildcards.run).train.devices),
        cards=lambda wildcards: PARAMS.run(wildcards.run).train.devices,
        mem_mb=memory,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        tracked=tracked("runs.{run}.model", "runs.{run}.train"),
        launch=launch,


ruleorder: train_distributed > train
