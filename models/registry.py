"""The list of all experiments; a new one is a line."""

from models.conv_aware_init.bounds import BOUNDS as CAI_BOUNDS
from models.conv_aware_init.propagation import PROPAGATION as CAI_PROPAGATION
from models.conv_aware_init.table2 import TABLE2 as CAI_TABLE2
from models.conv_aware_init.table3 import TABLE3 as CAI_TABLE3
from models.conv_aware_init.table4 import TABLE4 as CAI_TABLE4
from models.conv_aware_init.table5 import TABLE5 as CAI_TABLE5
from models.conv_aware_init.table6 import TABLE6 as CAI_TABLE6
from models.gaaf.equal_time import EQUAL_TIME
from models.gaaf.fig2 import FIG2
from models.gaaf.fig3 import FIG3
from models.gaaf.fig4 import FIG4
from models.gaaf.flatness import FLATNESS
from models.gaaf.shapes import SHAPES_AND_K
from models.gaaf.table1 import TABLE1
from models.gaaf.table2 import TABLE2
from models.gaaf.table3 import TABLE3
from models.gaaf.table4 import TABLE4
from models.gaaf.table5 import TABLE5
from models.gradient_adapter.depth import DEPTH
from models.gradient_adapter.fig3 import FIG3 as BPGA_FIG3
from models.gradient_adapter.fig5 import FIG5 as BPGA_FIG5
from models.gradient_adapter.flow import FLOW
from models.gradient_adapter.stochastic import STOCHASTIC
from models.gradient_adapter.table1 import TABLE1 as BPGA_TABLE1
from models.gradient_adapter.table2 import TABLE2 as BPGA_TABLE2
from models.layerout import cifar as layerout_cifar
from models.layerout.blockdrop_curve import BLOCKDROP
from models.layerout.cost import COST
from models.layerout.table1 import TABLE1 as LAYEROUT_TABLE1
from models.layerout.table6 import TABLE6

EXPERIMENTS = (
    TABLE1,
    TABLE2,
    TABLE3,
    TABLE4,
    TABLE5,
    FIG2,
    FIG3,
    FIG4,
    SHAPES_AND_K,
    EQUAL_TIME,
    FLATNESS,
    BPGA_FIG3,
    BPGA_FIG5,
    BPGA_TABLE1,
    BPGA_TABLE2,
    FLOW,
    DEPTH,
    STOCHASTIC,
    LAYEROUT_TABLE1,
    layerout_cifar.TABLE2,
    layerout_cifar.TABLE3,
    layerout_cifar.TABLE4,
    layerout_cifar.TABLE5,
    TABLE6,
    BLOCKDROP,
    COST,
    CAI_TABLE2,
    CAI_TABLE3,
    CAI_TABLE4,
    CAI_TABLE5,
    CAI_TABLE6,
    CAI_PROPAGATION,
    CAI_BOUNDS,
)
