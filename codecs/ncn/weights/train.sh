#!/bin/sh -e
# Trains the weights of this folder on Miniscapes, two trainings at a time, one core each:
#
#     sh train.sh FOLDER
#
# The trainings lie below FOLDER; interrupted, the same command goes on. At its end it prints the
# files to put here. One network learns pictures, then what the analysis network needs: at the
# highest rate (top), and for a long time at a middle one (hub). From these two, each lambda goes on
# from its neighbour above, once with LSMnet and once without, in equally many steps: what differs
# between them is LSMnet. Masks are trained at half the lambda of their NCN: what a network that is
# still learning loses for a saved bit is less than its lambda.
mkdir -p "$1"
cd "$1"
export OMP_NUM_THREADS=1

train() { # name, codec, lambda, loss, steps, learning rate, further options
    name=$1 codec=$2 rate_weight=$3 loss=$4 steps=$5 rate=$6
    shift 6
    [ -f "$name/weights.safetensors" ] || python -m benchmark train "$codec" --out "$name" \
        --lambda "$rate_weight" --loss "$loss" --iterations "$steps" --learning-rate "$rate" \
        --channels 96 --hidden-channels 64 --batch 4 --crop 256x256 --threads 1 \
        --validation-images 20 "$@"
}

mask() { # name, codec, lambda, NCN, further options
    name=$1 codec=$2 rate_weight=$3 network=$4
    shift 4
    train "$name" "$codec" "$rate_weight" task:2 150 0.02 --start "$network/weights.safetensors" \
        --validation-images 0 "$@"
}

chain() { # prefix, codec
    step() { # lambda, from, mask, steps, learning rate, gain: how much coarser its steps are
        lsmnet="--mask $3/weights.safetensors"
        [ "$codec" != ncn ] || lsmnet=
        train "$prefix$1" "$codec" "$1" task:1,feature:0.1 "$4" "$5" \
            --start "$2/weights.safetensors" --latent-gain "$6" $lsmnet
    }
    prefix=$1 codec=$2
    step 0.3 top top-mask 300 8e-6 1
    step 1 top top-mask 800 3e-5 0.65
    step 2 hub hub-mask 400 8e-6 1
    step 6 "${prefix}2" "${prefix}2" 500 1e-5 0.85
    step 15 "${prefix}6" "${prefix}6" 500 1e-5 0.8
    step 40 "${prefix}15" "${prefix}15" 500 1e-5 0.75
}

RATES="0.3 1 2 6 15 40"

masks() { # codec, name
    for point in $RATES; do
        mask "$2$point" "$1" "$point" "ncn$point"
    done
}

masks_of_chain() { # the masks alone, then a step without length that writes them beside their NCN
    for point in $RATES; do
        mask "chain-mask$point" ncn-lsm "$point" "chain$point" \
            --mask "chain$point/weights.safetensors"
        train "ft$point" ncn-lsm-ft "$point" task:2 1 1e-6 \
            --start "chain$point/weights.safetensors" --mask "chain-mask$point/weights.safetensors"
    done
}

train picture ncn 30 hvs 1500 1e-4 --optimizer adam
train top ncn 0.3 task:1,feature:1,hvs:0.002 1000 3e-5 --start picture/weights.safetensors
train near ncn 1 task:1,feature:1,hvs:0.001 300 3e-5 --start top/weights.safetensors \
    --latent-gain 0.55
train hub ncn 2 task:1,feature:0.1 4000 3e-5 --start near/weights.safetensors --latent-gain 0.6
mask top-mask ncn-lsm 1 top
mask hub-mask ncn-lsm 2 hub

chain ncn ncn &
chain chain ncn-lsm-ft
wait
masks ncn-lsm lsm &
masks ncn-lsm-efficientnet efficientnet
masks_of_chain
wait

for point in $RATES; do
    for codec in ncn lsm ft efficientnet; do
        echo "$codec$point/weights.safetensors"
    done
done
