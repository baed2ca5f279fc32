"""Modules: layers, losses and containers with PyTorch's names, defaults and layouts."""

from minigrad.nn import freezing, init, residual
from minigrad.nn.activation import (
    ELU,
    GELU,
    Hardtanh,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minigrad.nn.containers import ModuleDict, ModuleList, Sequential
from minigrad.nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
)
from minigrad.nn.dropout import (
    DropConnectLinear,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
)
from minigrad.nn.embedding import Embedding
from minigrad.nn.freezing import LayerOut
from minigrad.nn.gaaf import GAAF
from minigrad.nn.linear import Flatten, Identity, Linear
from minigrad.nn.loss import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeEmbeddingLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
)
from minigrad.nn.module import Buffer, IncompatibleKeys, Module
from minigrad.nn.noise import (
    GaussianDropout,
    GaussianNoise,
    NoisyActivation,
    WeightNoise,
)
from minigrad.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    CosineSimilarity,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
)
from minigrad.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from minigrad.nn.recurrent import GRU, LSTM, RNN
from minigrad.nn.recurrent_cells import GRUCell, LSTMCell, RNNCell
from minigrad.nn.residual import Residual
from minigrad.nn.rnn_drop import RnnDropLSTM
from minigrad.nn.soft_target import SoftTarget
from minigrad.nn.threshold import FeasibleTargetSign, Quantize, Sign
from minigrad.nn.upsampling import Upsample
from minigrad.nn.variational_lstm import VariationalLSTM
from minigrad.tape import Parameter

__all__ = [
    "ELU",
    "GAAF",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DropConnectLinear",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "FeasibleTargetSign",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNorm",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "IncompatibleKeys",
    "KLDivLoss",
    "LSTMCell",
    "LayerNorm",
    "LayerOut",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "NoisyActivation",
    "Parameter",
    "Quantize",
    "RNNCell",
    "ReLU",
    "Residual",
    "RnnDropLSTM",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Sign",
    "SoftTarget",
    "Softmax",
    "Softplus",
    "Tanh",
    "Upsample",
    "VariationalLSTM",
    "WeightNoise",
    "freezing",
    "init",
    "residual",
]
