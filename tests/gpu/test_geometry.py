"""Formulas on the sphere and on grids."""

import torch

from monai_cortex.geometry.barycentric import interpolate, locate
from monai_cortex.geometry.displacement import compose, invert, jacobian_determinant, warp
from monai_cortex.geometry.graph import chebyshev_stack, clenshaw
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.hemisphere import hemispheric_graph
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.geometry.rotation_field import exponential
from monai_cortex.geometry.signed_distance import signed_distance

SHAPE = (9, 8, 7)


def _operator():
    graph = hemispheric_graph(4)
    return 2 * graph.laplacian / graph.maximum_eigenvalue - torch.eye(len(graph.directions)).double()


def test_harmonics(agree):
    agree(lambda directions: real_harmonics(directions, 8), icosphere(2).vertices, tolerance=1e-9)


def test_graph_convolutions(agree, normal):
    operator = _operator()
    agree(lambda signal: chebyshev_stack(operator.to(signal.device), signal, 5), normal(0, 96, 3, 4))
    agree(lambda parts: clenshaw(operator.to(parts.device), parts), normal(1, 5, 96, 3, 4))


def test_warps(agree, normal):
    image, fields = normal(0, 1, 2, *SHAPE), [normal(seed, 1, 3, *SHAPE) for seed in (1, 2)]
    agree(warp, image, fields[0])
    agree(lambda image, ddf: warp(image, ddf, "nearest", "zeros"), image, 2 * fields[0])
    agree(compose, *fields)
    agree(jacobian_determinant, fields[0])


def test_inverse_field(agree):
    grid = torch.stack(torch.meshgrid(*(torch.linspace(0, 3, size) for size in SHAPE), indexing="ij")).double()
    agree(lambda ddf: invert(ddf).detach(), 0.3 * torch.sin(grid)[None])


def test_exponential_on_the_sphere(agree, normal):
    mesh = icosphere(3)

    def flow(omega):
        return exponential(omega, Mesh(mesh.vertices.to(omega), mesh.faces.to(omega.device)))

    agree(flow, 0.1 * torch.sin(mesh.vertices.flip(1)), tolerance=1e-5)


def test_interpolation_on_the_sphere(agree, normal):
    mesh, points = icosphere(3), normal(0, 50, 3)

    def read(values):
        sphere = Mesh(mesh.vertices.to(values), mesh.faces.to(values.device))
        return interpolate(values, sphere, locate(points.to(values), sphere))

    agree(read, normal(1, 2, len(mesh.vertices)))


def test_signed_distance_in_a_band(agree):
    mesh, affine = icosphere(3), torch.diag(torch.tensor([1.0, 1.2, 0.9, 1.0])).double()
    affine[:3, 3] = -10

    def distance(vertices):
        return signed_distance(Mesh(8 * vertices.detach(), mesh.faces.to(vertices.device)), (21, 18, 22), affine, 3.0)

    agree(distance, mesh.vertices, tolerance=1e-5)
