# A network with one hidden layer, trained in Julia, that writes what it computes as a dump.
#
#     julia examples/dump_writer.jl dump_from_julia
#     python -m compare.run --dump dump_from_julia
#
# Arrays are stored column by column, which the header says; every step becomes a folder of plain
# .npy files.

using Random

const N, F, H, K, UPDATES = 6, 5, 4, 3, 3
const RATE, MOMENTUM = 0.1, 0.9
const FOLDER = isempty(ARGS) ? "dump_from_julia" : ARGS[1]

# The whole writer: a header padded to 128 bytes, then the numbers as they lie in memory.
function write_npy(folder, name, a)
    shape = "(" * join(size(a), ", ") * (ndims(a) == 1 ? ",)" : ")")
    said = "{'descr': '<f8', 'fortran_order': True, 'shape': $shape, }"
    open(joinpath(folder, "$name.npy"), "w") do file
        write(file, UInt8[0x93], "NUMPY", UInt8[0x01, 0x00, 0x76, 0x00], rpad(said, 117), "\n")
        write(file, htol.(Float64.(a)))
    end
end

function loss_and_gradients(w, x, targets)
    z = x * w["w1"] .+ w["b1"]'                             # (N, H)
    h = max.(z, 0)
    logits = h * w["w2"] .+ w["b2"]'                        # (N, K)
    shifted = logits .- maximum(logits, dims=2)
    log_p = shifted .- log.(sum(exp.(shifted), dims=2))
    dlogits = (exp.(log_p) .- targets) ./ N
    dz = (dlogits * w["w2"]') .* (z .> 0)
    d = Dict("w1" => x' * dz, "b1" => vec(sum(dz, dims=1)),
             "w2" => h' * dlogits, "b2" => vec(sum(dlogits, dims=1)))
    return -sum(targets .* log_p) / N, d
end

rng = MersenneTwister(0)
x = 2 .* rand(rng, N, F) .- 1
targets = [Float64(mod(n - 1, K) + 1 == k) for n in 1:N, k in 1:K]
shapes = ["w1" => (F, H), "b1" => (H,), "w2" => (H, K), "b2" => (K,)]
w = Dict(name => 2 .* rand(rng, shape...) .- 1 for (name, shape) in shapes)
v = Dict(name => zeros(shape...) for (name, shape) in shapes)

mkpath(FOLDER)
write(joinpath(FOLDER, "run.json"), """{"format": 1, "activation": "relu", "reduction": "mean",
    "learning_rate": $RATE, "momentum": $MOMENTUM, "form": "velocity"}""")
write_npy(FOLDER, "x", x)
write_npy(FOLDER, "targets", targets)
for update in 0:UPDATES
    loss, d = loss_and_gradients(w, x, targets)
    step = mkpath(joinpath(FOLDER, "step_" * lpad(update, 5, "0")))
    write_npy(step, "loss", fill(loss))
    for (name, _) in shapes
        write_npy(step, name, w[name])
        write_npy(step, "d$name", d[name])
        write_npy(step, "v_$name", v[name])
        v[name] = MOMENTUM .* v[name] .+ RATE .* d[name]
        w[name] = w[name] .- v[name]
    end
end
