% A network with one hidden layer, trained in MATLAB or Octave, that writes what it computes as a dump.
%
%     octave --quiet examples/dump_writer.m dump_from_octave
%     python -m compare.run --dump dump_from_octave
%
% Arrays are stored column by column, which the header says; every step becomes a folder of plain
% .npy files. In MATLAB, from R2024a on: folder = 'dump_from_matlab'; dump_writer
1;

% The whole writer: a header padded to 128 bytes, then the numbers as they lie in memory.
function write_npy(folder, name, a, shape)
    if isempty(shape), sizes = '()'; end
    if numel(shape) == 1, sizes = sprintf('(%d,)', shape); end
    if numel(shape) == 2, sizes = sprintf('(%d, %d)', shape); end
    said = sprintf('{''descr'': ''<f8'', ''fortran_order'': True, ''shape'': %s, }', sizes);
    file = fopen(fullfile(folder, [name '.npy']), 'w', 'ieee-le');
    fwrite(file, [147 double('NUMPY') 1 0 118 0], 'uint8');
    fwrite(file, [said repmat(' ', 1, 117 - numel(said)) char(10)], 'char');
    fwrite(file, a, 'double');
    fclose(file);
end

function [loss, d] = loss_and_gradients(w, x, targets)
    z = x * w.w1 + w.b1;                                    % (N, H)
    h = max(z, 0);
    logits = h * w.w2 + w.b2;                               % (N, K)
    shifted = logits - max(logits, [], 2);
    log_p = shifted - log(sum(exp(shifted), 2));
    loss = -sum(sum(targets .* log_p)) / size(x, 1);
    dlogits = (exp(log_p) - targets) / size(x, 1);
    dz = (dlogits * w.w2') .* (z > 0);
    d = struct('w1', x' * dz, 'b1', sum(dz, 1), 'w2', h' * dlogits, 'b2', sum(dlogits, 1));
end

if ~exist('folder', 'var')
    given = argv();
    folder = given{end};
end
N = 6; F = 5; H = 4; K = 3; UPDATES = 3; RATE = 0.1; MOMENTUM = 0.9;
x = 2 * rand(N, F) - 1;
one_hot = eye(K);
targets = one_hot(mod(0:N-1, K) + 1, :);
w = struct('w1', 2*rand(F, H)-1, 'b1', 2*rand(1, H)-1, 'w2', 2*rand(H, K)-1, 'b2', 2*rand(1, K)-1);
v = struct('w1', zeros(F, H), 'b1', zeros(1, H), 'w2', zeros(H, K), 'b2', zeros(1, K));
shapes = struct('w1', [F H], 'b1', H, 'w2', [H K], 'b2', K);

[~, ~] = mkdir(folder);
file = fopen(fullfile(folder, 'run.json'), 'w');
fprintf(file, ['{"format": 1, "activation": "relu", "reduction": "mean", "learning_rate": %g, ' ...
               '"momentum": %g, "form": "velocity"}'], RATE, MOMENTUM);
fclose(file);
write_npy(folder, 'x', x, [N F]);
write_npy(folder, 'targets', targets, [N K]);
for update = 0:UPDATES
    [loss, d] = loss_and_gradients(w, x, targets);
    step = fullfile(folder, sprintf('step_%05d', update));
    [~, ~] = mkdir(step);
    write_npy(step, 'loss', loss, []);
    for name = fieldnames(w)'
        key = name{1};
        write_npy(step, key, w.(key), shapes.(key));
        write_npy(step, ['d' key], d.(key), shapes.(key));
        write_npy(step, ['v_' key], v.(key), shapes.(key));
        v.(key) = MOMENTUM * v.(key) + RATE * d.(key);
        w.(key) = w.(key) - v.(key);
    end
end
