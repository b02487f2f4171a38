from flask import Flask, request, jsonify

app = Flask(__name__)

@app.route('/')
def home():
    return jsonify({
        "message": "Calculator API",
        "version": "1.1"
    })

@app.route('/add', methods=['POST'])
def add():
    data = request.json
    result = data['a'] + data['b']
    return jsonify({"result": result})

if __name__ == '__main__':
    app.run(host='0.0.0.0', port=30194)
