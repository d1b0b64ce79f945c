# ECE421 assignment 2
import tensorflow as tf
import numpy as np
import matplotlib.pyplot as plt
import time
import os
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

# Load the data
def loadData():
    with np.load("notMNIST.npz") as data:
        Data, Target = data["images"], data["labels"]
        np.random.seed(521)
        randIndx = np.arange(len(Data))
        np.random.shuffle(randIndx)
        Data = Data[randIndx]/255.0
        Target = Target[randIndx]
        trainData, trainTarget = Data[:10000], Target[:10000]
        validData, validTarget = Data[10000:16000], Target[10000:16000]
        testData, testTarget = Data[16000:], Target[16000:]
    return trainData, validData, testData, trainTarget, validTarget, testTarget

def convertOneHot(trainTarget, validTarget, testTarget):
    newtrain = np.zeros((trainTarget.shape[0], 10))
    for item in range(0, trainTarget.shape[0]):
        newtrain[item][trainTarget[item]] = 1
    return newtrain

epsilon = 1e-5

def relu(x):
    x[x < 0] = 0
    return x

def softmax(x):
    return np.exp(x)/np.sum(np.exp(x), axis=1, keepdims=True)

def computeLayer(X, W, b):
    return np.matmul(X, W) + b

def CE(target, prediction):
    N = np.float(target.shape[0])
    return -np.sum(target*np.log(prediction + epsilon))/N

def gradCE(target, logits):
    return softmax(logits) - target

def back_prop(x_h, x_o, x_i, w_o, z_o, target):
    d_o = (x_o - target)/target.shape[0]
    d_wo = np.matmul(x_h.T, d_o)
    d_bo = np.sum(d_o, axis=0, keepdims=True)
    d_h = np.matmul(d_o, w_o.T)
    d_wh = np.matmul(x_i.T, d_h)
    d_bh = np.sum(d_h, axis=0, keepdims=True)
    return d_wo, d_bo, d_wh, d_bh

trainData, validData, testData, trainTarget, validTarget, testTarget = loadData()
newtrain = convertOneHot(trainTarget, validTarget, testTarget)
trainData = trainData.reshape(trainData.shape[0], -1)
H = 1000
w_h = np.random.normal(0, np.sqrt(2/(784+H)), (784, H))
b_h = np.zeros((1, H))
w_o = np.random.normal(0, np.sqrt(2/(H+10)), (H, 10))
b_o = np.zeros((1, 10))
losses = []
start = time.time()
for epoch in range(200):
	x_h = relu(computeLayer(trainData, w_h, b_h))
	z_o = computeLayer(x_h, w_o, b_o)
	x_o = softmax(z_o)
	losses.append(CE(newtrain, x_o))
	print "Iteration ", epoch, losses[-1]
	d_wo, d_bo, d_wh, d_bh = back_prop(x_h, x_o, trainData, w_o, z_o, newtrain)
	w_o = w_o - 0.1*d_wo
	w_h = w_h - 0.1*d_wh
plt.plot(losses)
plt.show()
