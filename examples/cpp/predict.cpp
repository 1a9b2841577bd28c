// Predicts one face with a Facelet model file in C++, with OpenVINO and nothing of Facelet.
//
//   predict MODEL.onnx PHOTO.ppm LEFT TOP WIDTH HEIGHT
//
// OpenVINO reads the model file as it is, and its metadata as the rt_info "framework". The preparation is that of docs/crop.md: cut a
// square, convert, resize, normalize.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <openvino/openvino.hpp>

using nlohmann::json;
using Plane = std::vector<double>;  // side * side values of one channel, row by row

struct Photo {
    int width = 0, height = 0;
    std::vector<std::uint8_t> data;  // RGB, row by row
};

struct Face {
    int side = 0;
    std::vector<Plane> planes;
};

Photo read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    int largest = 0;
    Photo photo;
    file >> magic >> photo.width >> photo.height >> largest;
    file.get();
    if (!file || magic != "P6" || largest != 255 || photo.width < 1 || photo.height < 1)
        throw std::runtime_error(path + " is not a binary PPM file of 8 bits, without comments");
    photo.data.resize(std::size_t(3) * photo.width * photo.height);
    file.read(reinterpret_cast<char*>(photo.data.data()), std::streamsize(photo.data.size()));
    if (!file) throw std::runtime_error(path + " is cut short");
    return photo;
}

int even(double x) { return int(std::nearbyint(x)); }  // halves to even, the default rounding mode

Face crop(const Photo& photo, double left, double top, double width, double height, double margin) {
    Face face;
    face.side = std::max(1, even(std::max(width, height) * (1 + 2 * margin)));
    const int x = even(left + width / 2 - face.side / 2.0), y = even(top + height / 2 - face.side / 2.0);
    face.planes.assign(3, Plane(std::size_t(face.side) * face.side));
    for (int row = 0; row < face.side; row++)
        for (int column = 0; column < face.side; column++) {
            const int from_row = std::clamp(y + row, 0, photo.height - 1);
            const int from_column = std::clamp(x + column, 0, photo.width - 1);
            for (int c = 0; c < 3; c++)
                face.planes[c][std::size_t(row) * face.side + column] =
                    photo.data[(std::size_t(from_row) * photo.width + from_column) * 3 + c];
        }
    return face;
}

// Weights of each pixel after on the pixels before: means of the covered area where the side shrinks, else linear.
std::vector<std::vector<std::pair<int, double>>> weights(int before, int after) {
    const double scale = double(before) / after;
    std::vector<std::vector<std::pair<int, double>>> table(after);
    for (int place = 0; place < after; place++) {
        if (scale > 1) {
            const double start = place * scale, end = (place + 1) * scale;
            for (int pixel = int(start); pixel < std::min(int(std::ceil(end - 1e-9)), before); pixel++)
                table[place].push_back({pixel, (std::min(end, pixel + 1.0) - std::max(start, double(pixel))) / scale});
        } else {
            const double middle = std::clamp((place + 0.5) * scale - 0.5, 0.0, before - 1.0);
            const int first = int(middle);
            table[place] = {{first, 1 - (middle - first)}, {std::min(first + 1, before - 1), middle - first}};
        }
    }
    return table;
}

Face resize(const Face& face, int size) {
    if (face.side == size) return face;
    const auto table = weights(face.side, size);
    Face resized{size, {}};
    for (const Plane& plane : face.planes) {
        Plane out;
        for (const auto& rows : table)
            for (const auto& columns : table) {
                double sum = 0;
                for (const auto& [y, down] : rows)
                    for (const auto& [x, across] : columns) sum += down * across * plane[std::size_t(y) * face.side + x];
                out.push_back(even(sum));
            }
        resized.planes.push_back(std::move(out));
    }
    return resized;
}

json answer(const json& info, const std::vector<double>& outputs) {
    if (info["task"] == "identity") {
        double length = 0;
        for (double value : outputs) length += value * value;
        std::vector<double> unit;
        for (double value : outputs) unit.push_back(value / std::sqrt(length));
        return {{"embedding", unit}};
    }
    const double top = *std::max_element(outputs.begin(), outputs.end());
    std::vector<double> powers;
    double sum = 0;
    for (double value : outputs) {
        powers.push_back(std::exp((value - top) / info["temperature"].get<double>()));
        sum += powers.back();
    }
    json probabilities = json::object();
    for (std::size_t at = 0; at < powers.size(); at++) probabilities[info["labels"][at].get<std::string>()] = powers[at] / sum;
    const auto best = std::max_element(powers.begin(), powers.end()) - powers.begin();
    return {{"label", info["labels"][std::size_t(best)]}, {"probabilities", probabilities}};
}

int main(int count, char** words) try {
    if (count != 7) throw std::runtime_error("usage: predict MODEL.onnx PHOTO.ppm LEFT TOP WIDTH HEIGHT");
    ov::Core core;
    auto model = core.read_model(words[1]);
    const json info = json::parse(model->get_rt_info<std::string>("framework", "facelet"));
    if (info["crop"]["align"] != "box")
        throw std::runtime_error("this model aligns faces by " + info["crop"]["align"].get<std::string>() + ", which this sample does not");
    const json& entry = info["input"];
    const int size = entry["size"], channels = entry["channels"], cut = entry["cut"];
    Face face = crop(read_ppm(words[2]), std::stod(words[3]), std::stod(words[4]), std::stod(words[5]), std::stod(words[6]),
                     info["crop"]["margin"]);
    if (channels == 1) {
        Plane grey;
        for (std::size_t at = 0; at < face.planes[0].size(); at++)
            grey.push_back(even(0.299 * face.planes[0][at] + 0.587 * face.planes[1][at] + 0.114 * face.planes[2][at]));
        face.planes = {grey};
    }
    face = resize(resize(face, cut ? cut : size), size);

    model->reshape({1, channels, size, size});
    // On processors with bfloat16 OpenVINO would compute in it, with other outputs than the measured ones.
    auto compiled = core.compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32));
    auto request = compiled.create_infer_request();
    float* input = request.get_input_tensor().data<float>();
    for (int c = 0; c < channels; c++)
        for (double value : face.planes[c])
            *input++ = float((value / 255 - entry["mean"][c].get<double>()) / entry["std"][c].get<double>());
    request.infer();
    const ov::Tensor output = request.get_output_tensor();
    const float* values = output.data<float>();
    std::cout << answer(info, std::vector<double>(values, values + output.get_size())).dump() << "\n";
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
}
