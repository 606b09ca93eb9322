#!/bin/sh -e
# Trains the weights of this folder on Miniscapes, two trainings at a time, one core each:
#
#     sh train.sh FOLDER
#
# The trainings lie below FOLDER; interrupted, the same command goes on. About five hours on two
# cores. The first stage is only there to begin with a picture; after it everything is trained for
# the analysis network's own losses, each lambda from its neighbour's network.
mkdir -p "$1"
cd "$1"
export OMP_NUM_THREADS=1

train() { # name, codec, lambda, steps, learning rate, further options
    name=$1 codec=$2 rate_weight=$3 steps=$4 rate=$5
    shift 5
    [ -f "$name/weights.safetensors" ] || python -m benchmark train "$codec" --out "$name" \
        --lambda "$rate_weight" --iterations "$steps" --learning-rate "$rate" --threads 1 "$@"
}

mask() { # lambda, NCN
    train "lsm$1" ncn-lsm "$1" 400 0.002 --start "$2/weights.safetensors"
    train "efficientnet$1" ncn-lsm-efficientnet "$1" 400 0.002 --start "$2/weights.safetensors"
}

together() { # name, lambda, steps, NCN and LSMnet
    train "$1" ncn-lsm-ft "$2" "$3" 0.0003 --start "$4/weights.safetensors" \
        --mask "$5/weights.safetensors"
}

further() { # lambda: goes on with what was trained early
    train "ncn$1" ncn "$1" 800 0.0003 --start "early$1/weights.safetensors"
    mask "$1" "ncn$1"
    train "early-lsm$1" ncn-lsm "$1" 400 0.002 --start "early$1/weights.safetensors"
    together "early-ft$1" "$1" 800 "early$1" "early-lsm$1"
    together "ft$1" "$1" 1000 "early-ft$1" "early-ft$1"
}

train picture ncn 500 1500 0.001 --loss hvs
train first ncn 2 1300 0.0005 --start picture/weights.safetensors

train early0.5 ncn 0.5 5000 0.0008 --start first/weights.safetensors &
train second ncn 2 5000 0.0005 --start first/weights.safetensors
wait
train early8 ncn 8 1200 0.0004 --start second/weights.safetensors &
train early4 ncn 4 1000 0.0004 --start second/weights.safetensors
train early2 ncn 2 900 0.0004 --start early4/weights.safetensors
wait
for rate_weight in 0.5 2 4; do further "$rate_weight"; done &
further 8
train ncn24 ncn 24 1000 0.0004 --start ncn8/weights.safetensors
mask 24 ncn24
together ft24 24 1200 ncn24 lsm24
wait

for rate_weight in 0.5 2 4 8 24; do
    for codec in ncn lsm ft efficientnet; do
        echo "$codec$rate_weight/weights.safetensors"
    done
done
