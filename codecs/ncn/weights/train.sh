#!/bin/sh -e
# Trains the weights of this folder on Miniscapes, two trainings at a time, one core each:
#
#     sh train.sh FOLDER
#
# The trainings lie below FOLDER; interrupted, the same command goes on. At its end it prints the
# files to put here. One network learns pictures, then what the analysis network needs, at the
# highest rate. From it two chains go down to lower rates, each lambda from its neighbour above with
# coarser steps, one with LSMnet and one without, in equally many steps: what differs between them
# is LSMnet.
mkdir -p "$1"
cd "$1"
export OMP_NUM_THREADS=1

STEPS=300 # a lambda, in each chain
RATES="0.3 1 3 8 20 50"

train() { # name, codec, lambda, loss, steps, further options
    name=$1 codec=$2 rate_weight=$3 loss=$4 steps=$5
    shift 5
    [ -f "$name/weights.safetensors" ] || python -m benchmark train "$codec" --out "$name" \
        --lambda "$rate_weight" --loss "$loss" --iterations "$steps" --learning-rate 0.0001 \
        --channels 96 --hidden-channels 64 --batch 4 --crop 256x256 --threads 1 \
        --validation-images 20 "$@"
}

gain() { # lambda: how much coarser its steps are than those of the lambda above
    case $1 in 0.3) echo 1 ;; 1) echo 0.55 ;; *) echo 0.6 ;; esac
}

down() { # name, codec, lambda, what it goes on from, further options
    name=$1 codec=$2 rate_weight=$3 above=$4
    shift 4
    train "$name" "$codec" "$rate_weight" task:1,feature:1,hvs:0.001 $STEPS \
        --start "$above/weights.safetensors" --latent-gain "$(gain "$rate_weight")" "$@"
}

without_mask() {
    above=top
    for rate_weight in $RATES; do
        down "ncn$rate_weight" ncn "$rate_weight" "$above"
        above=ncn$rate_weight
    done
}

with_mask() {
    above=top mask=mask
    for rate_weight in $RATES; do
        down "ft$rate_weight" ncn-lsm-ft "$rate_weight" "$above" --mask "$mask/weights.safetensors"
        above=ft$rate_weight mask=ft$rate_weight
    done
}

mask() { # name, codec, lambda, NCN
    train "$1" "$2" "$3" task 150 --start "$4/weights.safetensors" --learning-rate 0.003 \
        --validation-images 0
}

masks() { # codec, name
    for rate_weight in $RATES; do
        mask "$2$rate_weight" "$1" "$rate_weight" "ncn$rate_weight"
    done
}

train picture ncn 30 hvs 1500 --optimizer adam
train top ncn 0.3 task:1,feature:1,hvs:0.002 1000 --start picture/weights.safetensors
mask mask ncn-lsm 1 top

without_mask &
with_mask
wait
masks ncn-lsm lsm &
masks ncn-lsm-efficientnet efficientnet
wait

for rate_weight in $RATES; do
    for codec in ncn lsm ft efficientnet; do
        echo "$codec$rate_weight/weights.safetensors"
    done
done
